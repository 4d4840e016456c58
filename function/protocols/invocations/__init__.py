"""MLflow's scoring server, and SageMaker's containers: one route for predictions."""
