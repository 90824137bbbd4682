"""A ball that falls on a floor and jumps again, in closed form."""

import numpy as np

G, HEIGHT, FLOOR, SHARE = 9.81, 1.0, 0.2, 0.8


def drop(time):
    """Height (n,), speed (n,), and the moments of the first impacts."""
    first = np.sqrt(2 * HEIGHT / G)
    flights = 2 * first * SHARE ** np.arange(1, 40)
    meets = first + np.concatenate([[0.0], np.cumsum(flights)])
    k = np.searchsorted(meets, time)
    begun = np.where(k == 0, 0.0, meets[np.maximum(k - 1, 0)])
    since = time - begun
    v = np.where(k == 0, 0.0, G * first * SHARE ** k.astype(float))
    y = np.where(k == 0, HEIGHT, 0.0) + v * since - G / 2 * since**2
    return y + FLOOR, v - G * since, meets
