"""What is measured and written down: operating points, scores, tables, plots, reports."""
