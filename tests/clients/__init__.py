"""Other people's clients, unmodified, each in an environment of its own (`make test-clients`).

To add one: its requirements in `requirements/clients/NAME.in` (then `make lock`), and its test in
`use_NAME.py` here, which imports nothing of this project but `tests.clients.given`.
"""
