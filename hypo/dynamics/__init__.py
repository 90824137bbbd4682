"""World models: laws of motion found in trajectories, rolled out, and asked "what if"."""
