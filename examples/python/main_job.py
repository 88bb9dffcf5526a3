"""The main job: a film goes in, another one comes out. The README shows this file."""

from storycore import StoryCoreClient

client = StoryCoreClient.from_env()  # STORYCORE_API_KEY and STORYCORE_BASE_URL

project = client.projects.create(name="Summer film", settings={"fps": 25})
clip = client.media.upload(file_path="clip.mp4", project_id=project.id)

job = client.media.process(asset_id=clip.id, output_settings={"format": "mp4", "resolution": "640x360"})
done = client.jobs.wait(job.id)
assert done.output_asset, "a completed job has a result"

result = client.media.download(done.output_asset, "result.mp4")
print(f"result.mp4 is {result.name}, {result.size} bytes")
