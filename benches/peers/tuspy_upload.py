"""Uploads a file with tuspy, each chunk with its SHA-1, and prints the seconds it took."""

import sys
import time

from tusclient import client

# Of 4, 16, 64 MiB and the whole file the fastest here.
CHUNK = 16 * 1024 * 1024

url, key, file = sys.argv[1:4]
started = time.perf_counter()
tus = client.TusClient(url + "/api/assets/uploads", headers={"Authorization": "Bearer " + key})
metadata = {"filename": "film.bin", "type": "document"}
tus.uploader(file, chunk_size=CHUNK, upload_checksum=True, metadata=metadata).upload()
print(time.perf_counter() - started)
