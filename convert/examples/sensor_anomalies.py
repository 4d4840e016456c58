"""Which readings of a pump are anomalous? Distances from how its sensors usually go together.

The readings are made up here: no recording of a pump that may be shipped was found.
"""

import numpy as np
import pandas as pd
from sklearn.covariance import EllipticEnvelope
from sklearn.metrics import recall_score, roc_auc_score

from onnxlet.convert.examples.parts import Answer, Scores

FAULTS = ["leak", "worn bearing", "blocked filter"]
KEEP_BACKGROUND = 50  # explanations start from so many usual readings


def readings(count: int, share_of_faults: float, seed: int) -> pd.DataFrame:
    """A pump's sensors, each minute of some days, with faults in a share of the minutes."""
    random = np.random.default_rng(seed)
    speed = 2400 + 300 * np.sin(np.arange(count) * 2 * np.pi / 1440) + random.normal(0, 60, count)
    flow = 0.05 * speed + random.normal(0, 1.5, count)  # litres a minute
    pressure = 1 + 6e-7 * speed**2 + random.normal(0, 0.06, count)  # bar
    vibration = 0.8 + 4e-4 * speed + random.normal(0, 0.05, count)  # millimetres a second
    warmth = 25 + 0.006 * speed + random.normal(0, 0.5, count)  # degrees Celsius
    fault = np.where(random.random(count) < share_of_faults, random.choice(FAULTS, count), "none")
    grown = random.uniform(0.1, 1, count)  # faults begin small
    pressure -= (fault == "leak") * grown * 0.6
    flow += (fault == "leak") * grown * 8
    vibration += (fault == "worn bearing") * grown * 0.4
    warmth += (fault == "worn bearing") * grown * 3
    flow -= (fault == "blocked filter") * grown * 15
    columns = {"speed": speed, "flow": flow, "pressure": pressure, "vibration": vibration}
    return pd.DataFrame({**columns, "temperature": warmth, "fault": fault}).round(2)


def build() -> tuple[EllipticEnvelope, pd.DataFrame, pd.Series, pd.DataFrame]:
    """Fit the model; return it with X_test, y_test and X_train."""
    calm = readings(4320, 0, seed=0).drop(columns="fault")
    later = readings(1440, 0.05, seed=1)
    y_test = pd.Series(np.where(later.pop("fault") == "none", 1, -1))
    model = EllipticEnvelope(contamination=0.01, support_fraction=1.0, random_state=0).fit(calm)
    return model, later, y_test, calm


def scores(answer: Answer, X_test: pd.DataFrame, y_test: pd.Series) -> Scores:
    """Beside limits for each sensor by itself, which alarm as often where nothing is wrong."""
    calm = readings(4320, 0, seed=0).drop(columns="fault")
    usual, later = (((X - calm.mean()) / calm.std()).abs().max(axis=1) for X in (calm, X_test))
    beyond = later > usual.quantile(0.99)
    answered, faulty = answer(X_test), y_test == -1
    alarms = np.array(answered["prediction"]) == -1
    return {
        "faults found": (recall_score(faulty, alarms), recall_score(faulty, beyond)),
        "false alarms": (alarms[~faulty].mean(), beyond[~faulty].mean()),
        "roc auc": (
            roc_auc_score(faulty, -np.array(answered["score"])),
            roc_auc_score(faulty, later),
        ),
    }
