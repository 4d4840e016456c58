"""What is counted of answers: statistics of each model, and Prometheus figures."""
