"""The backend ``cuda``: the same scans and batches on NVIDIA GPUs."""
