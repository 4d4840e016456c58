"""scikit-learn as the reference: its inputs, its answers, and what its columns may hold."""
