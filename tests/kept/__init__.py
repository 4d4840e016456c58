"""What earlier commits made goes on: model directories, a device's bundle, Lambda's part of it.

Below a commit's number are `models/`, which it built from `sources.py` as that says, and
`device.tar.xz`: its bundle of these models for a device but for its packages, that is its own code
as the bundle places it, `__main__.py`, and the lists of release 1.
None is ever made again: later commits have to go on with these very bytes.
"""
