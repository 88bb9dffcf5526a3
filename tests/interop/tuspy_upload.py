"""Uploads a file with tuspy, each chunk with its SHA-1."""

import sys
from tusclient import client
u,k,f=sys.argv[1:]
c=client.TusClient(u+'/api/assets/uploads',headers={'Authorization':'Bearer '+k})
up=c.uploader(f,chunk_size=5_000_000,upload_checksum=True,metadata={'filename':'b.bin','type':'document'})
up.upload()
