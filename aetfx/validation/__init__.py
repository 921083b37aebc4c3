"""What is wrong with the data: statistics, TFDV's schema and anomalies, findings. Knows of a model only its range."""
