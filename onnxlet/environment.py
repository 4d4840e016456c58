"""What has to be set before NumPy is imported: each of this project's programs imports it first."""

import os
import sys

# NumPy only moves data here. One thread less to start at import for every core there is.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# LightGBM's and scikit-learn's threads wait without spinning: on a core that others use, too, a fit
# with two of them took twenty times as long as with one.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Its products, which explanations add up by, would differ in last digits from one Arm processor to
# another: each has sums in an order of its own.
if sys.platform == "linux" and os.uname().machine == "aarch64":
    os.environ.setdefault("OPENBLAS_CORETYPE", "ARMV8")
