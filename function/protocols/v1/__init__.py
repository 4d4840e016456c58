"""Version 1: TensorFlow Serving's REST API, and KServe's of the same form."""
