"""From trajectories to likely systems: proposals by equation, decided by the trajectory."""
