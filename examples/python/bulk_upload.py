"""Uploads a folder's films, some at a time, and says which could not be: python bulk_upload.py FOLDER

Started again after a crash or Ctrl-C it sends what is missing: the project is found by its name, films that are in it whole
are left alone, and an upload that was cut off goes on where it stopped, since every upload is in a journal.
"""

import asyncio
import sys
from pathlib import Path

from storycore import AsyncStoryCoreClient, Project, StoryCoreError

AT_ONCE = 4


async def project_named(client: AsyncStoryCoreClient, name: str) -> Project:
    async for project in client.projects.items(name=name):
        if project.name == name:
            return project
    return await client.projects.create(name=name)


async def main(folder: Path) -> int:
    films = sorted(path for path in folder.iterdir() if path.suffix in {".mp4", ".mov", ".webm"})
    free = asyncio.Semaphore(AT_ONCE)

    async with AsyncStoryCoreClient.from_env() as client:
        project = await project_named(client, folder.resolve().name)
        there = {(asset.name, asset.size) async for asset in client.media.items(project_id=project.id)}

        async def upload(film: Path) -> None:
            if film.exists() and (film.name, film.stat().st_size) in there:
                print(f"{film.name} is there already")
                return
            async with free:
                asset = await client.media.upload(file_path=film, project_id=project.id)
            print(f"{film.name} is {asset.id}, {asset.size} bytes")

        results = await asyncio.gather(*map(upload, films), return_exceptions=True)

    failed = 0
    for film, result in zip(films, results):
        if isinstance(result, StoryCoreError):
            failed += 1
            print(f"{film.name} failed: {result}", file=sys.stderr)
        elif isinstance(result, BaseException):
            raise result
    print(f"{len(films) - failed} of {len(films)} films are in {project.id}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]))))
