"""Independent NumPy references for torch's losses, optimizers and initializers.

Eight modules are public; everything else is private by its path, and may change with any version:

================================  ==================================================================
module                            what it has
================================  ==================================================================
``reference.losses``              functions of ``torch.nn.functional``, their gradients, and modules
``reference.optim``               optimizers of ``torch.optim``, and the parameters that they step
``reference.optim.lr_scheduler``  their learning rates over time, as ``torch.optim.lr_scheduler``
``reference.optim.swa_utils``     averages of weights, as ``torch.optim.swa_utils``
``reference.optim.clip_grad``     clipping of gradients, as in ``torch.nn.utils``
``reference.optim.grad_scaler``   the loss scale of mixed precision, ``torch.amp.GradScaler``
``reference.init``                initializers of ``torch.nn.init``
``reference.random``              torch's generator: the same numbers from the same seed
================================  ==================================================================

>>> import numpy as np
>>> from reference.losses import mse_loss
>>> mse_loss(np.array([1.0, 2.0]), np.array([0.0, 0.0])).item()
2.5
"""
