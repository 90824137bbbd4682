"""Where results are seen: live progress, notebooks, HTML, plots."""
