"""What a report measures: the served model, asked about test rows; each part in its module."""
