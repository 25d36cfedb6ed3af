"""Independent NumPy references for torch's losses, optimizers and initializers.

>>> import numpy as np
>>> from reference.losses import mse_loss
>>> mse_loss(np.array([1.0, 2.0]), np.array([0.0, 0.0])).item()
2.5
"""
