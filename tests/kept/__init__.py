"""What commit 9b8937b made goes on: model directories, a device's bundle, Lambda's part of it.

`models/` was built from `sources.py`, which says how. `device.tar.xz` has the bundle of these
models for a device, but for its packages: the commit's `function/` and `edge/` as its
`convert.bundle.contents.place_code` copies them, `__main__.py`, and the lists of release 1.
Neither is ever made again: later commits have to go on with these very bytes.
"""
