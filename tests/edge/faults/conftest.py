"""What updates' tests have, for these."""

from tests.edge.update.conftest import (  # noqa: F401 - fixtures
    archives,
    free_tcp_port,
    maker,
    no_settings,
    paths,
    setup,
    supervise,
)
from tests.edge.update.test_fetching import serve  # noqa: F401 - the same
