"""How fast and how lean Rapport is, against a baseline measured in the same run."""
