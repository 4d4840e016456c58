"""`make deploy`: a version is deployed, proven where it runs, and only then served.

`up` is the whole, as one function. `options` reads the environment, `readiness` tells all that is
missing at once, `bundle` packages, `osls` deploys, `proof` replays golden rows against the version
that was published, `stack` moves the alias `live` to it. `docs/how-to/deploy.md` is for its user.
"""
