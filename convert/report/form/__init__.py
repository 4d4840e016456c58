"""The form of a report: what report.json holds, and how numbers, names and plots are written."""
