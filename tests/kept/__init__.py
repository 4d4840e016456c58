"""What earlier releases made goes on: model directories, a device's bundle, Lambda's part of it.

Below a release's number, or a commit's of before the first, are `models/`, which it built from
`sources.py`; `surface.json`, the names that it promised; and `device.tar.xz`, its bundle of these
models for a device but for its packages, that is its own code as the bundle places it,
`__main__.py`, and the lists of release 1. `release.py` writes them, as a step of `make release`.
None is ever made again: later releases have to go on with these very bytes.
"""
