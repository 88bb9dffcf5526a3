"""Uploads a file with tuspy, each chunk with its SHA-1."""

import sys

from tusclient import client

url, key, file = sys.argv[1:]
tus = client.TusClient(url + "/api/assets/uploads", headers={"Authorization": "Bearer " + key})
metadata = {"filename": "b.bin", "type": "document"}
tus.uploader(file, chunk_size=5_000_000, upload_checksum=True, metadata=metadata).upload()
