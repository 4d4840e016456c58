"""What the tests need to know of the versions that they run with: `make test-oldest`."""

from __future__ import annotations

import numpy as np
from numpy.lib import NumpyVersion

OLD_NUMPY = NumpyVersion(np.__version__) < "2.1.0"
SHAPE = "newshape" if OLD_NUMPY else "shape"  # an argument of np.reshape
