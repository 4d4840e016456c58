"""`make deploy`: deploy a version, verify it where it runs, and only then serve it.

<<<<<<< HEAD
`up` is the whole, as one function. `options` reads the environment, `readiness` reports all that
is missing, `bundle` packages, `osls` deploys, `verification` replays golden rows against the
published version, `stack` moves the alias `live` to it. `docs/deploy.md` is for its user.
=======
`up` is the whole, as one function. `options` reads the environment, `readiness` tells all that is
missing at once, `bundle` packages, `osls` deploys, `proof` replays golden rows against the version
that was published, `stack` moves the alias `live` to it. `docs/how-to/deploy.md` is for its user.
>>>>>>> main
"""
