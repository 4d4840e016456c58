"""Findings of made-up models, in every form that the report has to show."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from onnxlet.convert.metrics.metrics import METRICS

Findings = dict[str, Any]
NOTHING: Findings = {
    "format": 1, "name": "bare", "version": None, "task": "binary", "target": None,
    "positive": None, "classes": None, "origin": "build", "estimator": None, "data": None,
    "scores": None, "confusion": None, "residuals": None, "roc": None, "precision_recall": None,
    "calibration": None, "threshold": None, "importance": None, "dependence": None,
    "learning": None, "worst": None, "search": None, "fairness": None, "parity": None,
    "serving": None, "call": None, "use": None,
}  # fmt: skip
MARKUP = '<img src=x onerror="window.hacked=1">'
SCRIPT = "</style></svg><script>window.hacked=1</script>'\"&amp;{{ 7*7 }}"
ARABIC = "\u0627\u0644\u062f\u062e\u0644 \u0627\u0644\u0634\u0647\u0631\u064a"
HEBREW = "\u05d2\u05d9\u05dc"
CHINESE = "\u6708\u6536\u5165\uff08\u5143\uff09"
LONG = "average_monthly_charge_over_the_last_twelve_months_before_the_contract_ended_" * 6


def near(value: float, off: float) -> dict[str, float]:
    """A value in its interval."""
    return {"value": round(value, 6), "low": round(value - off, 6), "high": round(value + off, 6)}


def score(
    metric: str, rows: int, model: tuple[float, float], **baselines: tuple[float, float]
) -> Findings:
    """A score beside those of the baselines, each with how far its interval goes."""
    about = METRICS[metric]
    return {
        "metric": metric, "title": about.title[0].upper() + about.title[1:],
        "greater_is_better": about.greater_is_better, "rows": rows, "model": near(*model),
        "baselines": [{"name": name, **near(*each)} for name, each in baselines.items()],
    }  # fmt: skip


def important(*columns: tuple[str, float, float]) -> list[Findings]:
    """Columns with how much they matter, and how far that interval goes."""
    return [{"column": name, **near(value, off)} for name, value, off in columns]


def learnt(off: float, values: dict[int, float]) -> list[Findings]:
    """Points of a learning curve, by their rows."""
    return [{"rows": rows, **near(value, off)} for rows, value in values.items()]


def column(name: str, kind: str = "number", used: bool = True, why: str | None = None) -> Findings:
    """A column of the table."""
    return {"name": name, "kind": kind, "why": why, "used": used, "missing": 11, "distinct": 73}


def made_from(name: str) -> Findings:
    """Of a table and code, and of a folder of images."""
    return {
        "code": [{"file": f"{name}.py", "sha256": "3f" * 32}],
        "tables": [{"file": name, "sha256": "a0" * 32, "files": 120}],
        "versions": {"python": "3.13.1", "onnxlet": "0.1.0"},
    }


def binary() -> Findings:
    """A model of who cancels, as `train` finds it."""
    found = copy.deepcopy(NOTHING)
    t = np.linspace(1, 0, 41)
    counts = [1294, 467]
    found |= {
        "name": "churn",
        "made_from": made_from("churn"),
        "version": 3,
        "target": "Churn",
        "positive": "Yes",
        "classes": ["No", "Yes"],
        "origin": "train",
        "estimator": "mean of LightGBM (0.6), CatBoost (0.3), logistic regression (0.1)",
        "data": {
            "rows": 7043,
            "train_rows": 5282,
            "test_rows": 1761,
            "split": "stratified at random: a quarter of the rows was kept apart",
            "notes": ["11 rows have no value in TotalCharges", "22 duplicate rows were kept"],
            "target": {"labels": ["No", "Yes"], "counts": counts},
            "columns": [
                column("tenure"),
                column("MonthlyCharges"),
                column("TotalCharges"),
                column("Contract", "category"),
                column("InternetService", "category"),
                column("customerID", "identifier", False, "every row has another value"),
                column("ChurnReason", "leak", False, "alone it gives the target away (AUC 1.0)"),
            ],
        },
        "scores": [
            score("roc_auc", 1761, (0.8463, 0.019), constant=(0.5, 0.0), linear=(0.8407, 0.0195)),
            score(
                "accuracy", 1761, (0.7916, 0.018), constant=(0.7348, 0.02), linear=(0.788, 0.019)
            ),
            score("log_loss", 1761, (0.4142, 0.02), constant=(0.578, 0.015), linear=(0.421, 0.02)),
        ],
        "confusion": {"labels": ["No", "Yes"], "counts": [[1030, 264], [103, 364]], "other": False},
        "roc": {
            "points": [[float(x**2.6), float(x**0.55), float(1 - x)] for x in 1 - t],
            "auc": near(0.8463, 0.019),
        },
        "precision_recall": {
            "points": [
                [float(r), float(0.265 + 0.62 * (1 - r) ** 0.7), float(1 - r)] for r in 1 - t
            ],
            "average_precision": near(0.657, 0.03),
        },
        "calibration": {
            "bins": [
                {
                    "low": k / 10,
                    "high": (k + 1) / 10,
                    "rows": 500 // (k + 1),
                    "predicted": k / 10 + 0.05,
                    "observed": round(k / 10 * 0.93 + 0.06, 4),
                    "observed_low": round(max(0, k / 10 * 0.93 + 0.02), 4),
                    "observed_high": round(k / 10 * 0.93 + 0.1, 4),
                }
                for k in range(9)
            ],
            "error": 0.0174,
            "brier": 0.1351,
        },
        "threshold": {
            "chosen": 0.34,
            "metric": "balanced accuracy",
            "table": [
                {
                    "threshold": k / 20,
                    "selected": round((1 - k / 20) ** 1.6, 4),
                    "precision": None if k == 20 else round(0.265 + 0.6 * k / 20, 4),
                    "recall": round(1 - (k / 20) ** 1.7, 4),
                    "false_positive_rate": round((1 - k / 20) ** 2.4, 4),
                    "accuracy": round(0.27 + 0.53 * np.sin(k / 20 * 2.1), 4),
                }
                for k in range(21)
            ],
        },
        "importance": {
            "metric": "ROC AUC",
            "repeats": 10,
            "columns": important(
                ("Contract", 0.061, 0.006),
                ("tenure", 0.048, 0.005),
                ("InternetService", 0.0222, 0.004),
                ("MonthlyCharges", 0.011, 0.003),
                ("TotalCharges", 0.0004, 0.001),
            ),
        },
        "dependence": [
            {
                "column": "Contract",
                "kind": "category",
                "answer": "probability of Yes",
                "points": [
                    {"at": "Month-to-month", **near(0.38, 0.012), "rows": 968},
                    {"at": "One year", **near(0.17, 0.012), "rows": 370},
                    {"at": "Two year", **near(0.09, 0.012), "rows": 423},
                ],
            },
            {
                "column": "tenure",
                "kind": "number",
                "answer": "probability of Yes",
                "points": [
                    {"at": k * 4, **near(0.45 * np.exp(-k / 9) + 0.1, 0.015), "rows": 90}
                    for k in range(18)
                ],
            },
        ],
        "learning": {
            "metric": "ROC AUC",
            "more_data_helps": False,
            "points": learnt(
                0.012, {528: 0.815, 1056: 0.83, 2112: 0.839, 3169: 0.8425, 5282: 0.8448}
            ),
        },
        "worst": [{"row": 17 + 131 * k, "error": round(0.981 - k * 0.004, 4)} for k in range(10)],
        "search": {
            "seconds": 58.4,
            "seed": 0,
            "metric": "ROC AUC",
            "how_ended": "the time was up",
            "trials": [_trial(k) for k in range(46)],
            "ensemble": [
                {"name": "LightGBM", "weight": 0.6},
                {"name": "CatBoost", "weight": 0.3},
                {"name": "logistic regression", "weight": 0.1},
            ],
        },
        "fairness": [_fairness()],
        "parity": {
            "rows": 4021,
            "worst": {"probabilities": 2.2e-7, "prediction": 0},
            "recipe": "float64 columns",
            "held_out_rows": 1761,
            "drawn_rows": 1500,
            "edge_cases": 760,
            "differing_rows": 0,
            "tolerance": 1e-5,
        },
        "serving": {
            "bytes": 812_345,
            "estimator_bytes": 4_812_345,
            "cold_start_ms": 310.0,
            "estimator_cold_start_ms": 1_450.0,
            "load_ms": 41.2,
            "one_row_us": 93.0,
            "estimator_one_row_us": 12_400.0,
        },
        "call": {
            "path": "/models/churn/predict",
            "row": {
                "tenure": 29,
                "MonthlyCharges": 70.35,
                "TotalCharges": 1397.5,
                "Contract": "Month-to-month",
                "InternetService": "Fiber optic",
            },
            "columns": ["tenure", "MonthlyCharges", "TotalCharges", "Contract", "InternetService"],
        },
    }
    return found


def _trial(k: int) -> Findings:
    families = ("constant", "linear", "lightgbm", "catboost", "extra trees")
    score = 0.5 if k == 0 else 0.845 - 0.05 / (k + 1) - 0.02 * ((k * 7) % 5) / 4
    state = "failed" if k == 7 else "stopped" if k % 4 == 3 else "done"
    return {
        "number": k,
        "name": f"{families[min(k, k % 5)]} {k}",
        "family": families[min(k, k % 5)],
        "score": None if state == "failed" else round(score, 6),
        "error": None if state == "failed" else 0.006,
        "seconds": round(0.2 + 0.05 * (k % 9), 3),
        "state": state,
    }


def _fairness() -> Findings:
    def group(name: str, rows: int, selected: float, found: float) -> Findings:
        return {
            "group": name,
            "rows": rows,
            "small": rows < 30,
            "selection_rate": selected,
            "true_positive_rate": found,
            "false_positive_rate": selected - 0.14,
            "accuracy": 0.79,
            "mean_error": None,
            "mean_absolute_error": None,
        }

    titles = {
        "selection_rate": "Difference in selection rate",
        "equalised_odds": "Difference in error rates (equalised odds)",
    }
    values = {"selection_rate": (0.184, 0.05), "equalised_odds": (0.121, 0.06)}

    def differ(scale: float) -> list[Findings]:
        return [
            {"measure": name, "title": titles[name], **near(value * scale, off)}
            for name, (value, off) in values.items()
        ]

    return {
        "column": "SeniorCitizen",
        "groups": [
            group("0", 1480, 0.33, 0.77),
            group("1", 270, 0.514, 0.84),
            group("unknown", 11, 0.27, 1.0),
        ],
        "differences": differ(1),
        "mitigation": {
            "how": "one threshold per group",
            "differences": differ(0.2),
            "metric": "Balanced accuracy",
            "scores": {"before": near(0.768, 0.02), "after": near(0.757, 0.02)},
        },
    }


def multiclass() -> Findings:
    """Twenty-five classes, of which the matrix lumps six, and no search."""
    found = copy.deepcopy(NOTHING)
    labels = [f"class {chr(65 + k)}" for k in range(19)] + ["others"]
    counts = [[40 + 3 * a if a == b else (a * b) % 4 for b in range(20)] for a in range(20)]
    found |= {
        "name": "letters",
        "version": 1,
        "task": "multiclass",
        "target": "letter",
        "classes": [f"class {chr(65 + k)}" for k in range(25)],
        "estimator": "extra trees, 300 trees",
        "data": {
            "rows": 1600,
            "train_rows": None,
            "test_rows": 1600,
            "split": None,
            "notes": [],
            "target": {
                "labels": [f"class {chr(65 + k)}" for k in range(25)],
                "counts": [64 + k for k in range(25)],
            },
            "columns": [column(f"x{k}") for k in range(16)],
        },
        "scores": [
            score(
                "accuracy", 1600, (0.871, 0.0166), constant=(0.055, 0.011), linear=(0.902, 0.0146)
            ),
        ],
        "confusion": {"labels": labels, "counts": counts, "other": True},
        "importance": {
            "metric": "Accuracy",
            "repeats": 5,
            "columns": important(*((f"x{k}", 0.2 / (k + 1), 0.01) for k in range(16))),
        },
        "worst": [{"row": k, "error": 0.99} for k in range(10)],
        "parity": {"rows": 2000, "worst": {"probabilities": 1e-16}, "recipe": "float32 columns"},
    }
    return found


def regression(rows: int = 733) -> Findings:
    """House prices; with few rows the report has to say so."""
    found = copy.deepcopy(NOTHING)
    edges = [-60_000 + 10_000 * k for k in range(13)]
    counts = [1, 3, 9, 31, 88, 211, 240, 99, 30, 14, 5, 2]
    found |= {
        "name": "house-prices",
        "version": 12,
        "task": "regression",
        "target": "Sale_Price",
        "origin": "train",
        "estimator": "histogram boosting, 240 rounds",
        "data": {
            "rows": 4 * rows,
            "train_rows": 3 * rows,
            "test_rows": rows,
            "split": "by time: the last quarter was kept apart",
            "notes": [],
            "target": {
                "bins": [k * 60_000 for k in range(11)],
                "counts": [12, 171, 290, 138, 65, 31, 14, 7, 3, 2],
            },
            "columns": [column("Gr_Liv_Area"), column("Neighborhood", "category")],
        },
        "scores": [
            score(
                "mae", rows, (22_736.3, 2100), constant=(56_519.1, 4000), linear=(27_112.9, 2300)
            ),
            score("r2", rows, (0.7853, 0.04), constant=(-0.0551, 0.03), linear=(0.71, 0.04)),
        ],
        "residuals": {
            "bins": edges,
            "counts": counts,
            "by_prediction": [
                {
                    "low": 60_000 + 40_000 * k,
                    "high": 100_000 + 40_000 * k,
                    "rows": 240 // (k + 1),
                    "mean": 900.0 * (k - 2),
                    "p05": -14_000.0 - 6000 * k,
                    "p95": 15_000.0 + 9000 * k,
                }
                for k in range(8)
            ],
            "within": [
                {"share": 0.5, "error": 15_204.0},
                {"share": 0.8, "error": 33_120.0},
                {"share": 0.95, "error": 61_992.0},
            ],
        },
        "importance": {
            "metric": "Mean absolute error",
            "repeats": 10,
            "columns": important(("Gr_Liv_Area", 21_930, 1500), ("Neighborhood", 11_020, 900)),
        },
        "dependence": [
            {
                "column": "Gr_Liv_Area",
                "kind": "number",
                "answer": "Sale_Price",
                "points": [
                    {"at": 800 + 120 * k, **near(130_000 + 9_000 * k, 4_000), "rows": 80}
                    for k in range(14)
                ],
            }
        ],
        "learning": {
            "metric": "Mean absolute error",
            "more_data_helps": True,
            "points": learnt(1_200, {220: 31_000, 550: 27_500, 1100: 25_000, 2199: 22_900}),
        },
        "worst": [{"row": 9 * k, "error": 301_220.0 - 12_010 * k} for k in range(10)],
        "parity": {"rows": 5401, "worst": {"prediction": 1.04e-15}, "recipe": "float64 columns"},
        "serving": {
            "bytes": 310_000,
            "estimator_bytes": None,
            "cold_start_ms": 290.0,
            "estimator_cold_start_ms": None,
            "load_ms": 12.5,
            "one_row_us": 31.0,
            "estimator_one_row_us": None,
        },
        "call": {
            "path": "/models/house-prices/predict",
            "row": {"Gr_Liv_Area": 1441, "Neighborhood": None},
            "columns": ["Gr_Liv_Area", "Neighborhood"],
        },
    }
    return found


def hostile() -> Findings:
    """Names that a careless page takes for markup, long ones, other scripts, 200 columns."""
    found = binary()
    names = [MARKUP, SCRIPT, ARABIC, HEBREW, CHINESE, LONG, "$x_1$", "a\nb\tc", "nul\x00\x1b",
             "\ud800", "\u202eturned", "", "```", "| a | b |", "[x](javascript:alert(1))",
             "# head"]  # fmt: skip
    names += [f"column {k}" for k in range(200 - len(names))]
    found["name"], found["target"], found["positive"] = "hostile", SCRIPT, MARKUP
    found["classes"] = [CHINESE, MARKUP]
    found["estimator"], found["made_from"] = f"a pipeline of {SCRIPT}", made_from(MARKUP)
    found["data"]["columns"] = [
        column(name, "text", k % 2 == 0, MARKUP) for k, name in enumerate(names)
    ]
    found["data"]["notes"] = [SCRIPT, LONG]
    found["data"]["target"]["labels"] = [CHINESE, MARKUP]
    found["confusion"]["labels"] = [LONG, MARKUP]
    ranked = ((n, 0.1 - k / 4000, 0.01) for k, n in enumerate(names))
    found["importance"]["columns"] = important(*ranked)
    found["dependence"][0]["column"] = SCRIPT
    for point, label in zip(found["dependence"][0]["points"], (MARKUP, ARABIC, LONG), strict=True):
        point["at"] = label
    found["dependence"][1]["column"] = found["dependence"][1]["answer"] = LONG
    found["fairness"][0]["column"] = ARABIC
    for group, label in zip(found["fairness"][0]["groups"], (SCRIPT, CHINESE, LONG), strict=True):
        group["group"] = label
    for trial in found["search"]["trials"]:
        trial["name"] = SCRIPT
    found["call"]["row"] = dict.fromkeys(names, MARKUP)
    found["call"]["columns"] = names
    return found


SAMPLES = {
    "binary": binary(),
    "multiclass": multiclass(),
    "regression": regression(),
    "few": regression(11),
    "nothing": NOTHING,
    "hostile": hostile(),
}
