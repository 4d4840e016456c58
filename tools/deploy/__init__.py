"""`make deploy`: deploy a version, verify it where it runs, and only then serve it.

`up` is the whole, as one function. `options` reads the environment, `readiness` reports all that
is missing, `bundle` packages, `osls` deploys, `verification` replays golden rows against the
published version, `stack` moves the alias `live` to it. `docs/how-to/deploy.md` is for its user.
"""
