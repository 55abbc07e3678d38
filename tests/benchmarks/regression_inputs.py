"""A row of metrics for the tests of the gate."""

ROW = {
    "dataset": "phantom", "pair": "a__b", "method": "net", "seed": 0, "metric": "dice", "protocol": "nearest",
    "region": "mean", "value": 0.5, "unit": "1", "status": "ok", "reason": "", "run": "0123456789ab",
}  # fmt: skip
