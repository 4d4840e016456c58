"""What the tests need to know of the versions that they run with: `make test-oldest`."""

from __future__ import annotations

import numpy as np
from numpy.lib import NumpyVersion

from onnxlet.convert.graph.responses import RELEASE

OLD_NUMPY = NumpyVersion(np.__version__) < "2.1.0"
AVERAGED = {"quantile_method": "averaged_inverted_cdf"} if RELEASE >= (1, 7) else {}
LINEAR = {"quantile_method": "linear"} if RELEASE >= (1, 7) else {}
SHAPE = "newshape" if OLD_NUMPY else "shape"  # an argument of np.reshape
