"""Losses: the functions of ``torch.nn.functional``, their gradients, and the modules of ``torch.nn``."""

from .adaptive_log_softmax import (
    AdaptiveLogSoftmaxWithLoss,
    adaptive_log_softmax_with_loss,
    adaptive_log_softmax_with_loss_backward,
)
from .bce_with_logits import (
    BCEWithLogitsLoss,
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_backward,
)
from .binary_cross_entropy_loss import BCELoss, binary_cross_entropy, binary_cross_entropy_backward
from .cosine_embedding import CosineEmbeddingLoss, cosine_embedding_loss, cosine_embedding_loss_backward
from .cross_entropy_loss import CrossEntropyLoss, cross_entropy, cross_entropy_backward
from .ctc import CTCLoss, ctc_loss, ctc_loss_backward
from .gaussian_nll import GaussianNLLLoss, gaussian_nll_loss, gaussian_nll_loss_backward
from .hinge_embedding import HingeEmbeddingLoss, hinge_embedding_loss, hinge_embedding_loss_backward
from .huber import HuberLoss, huber_loss, huber_loss_backward
from .kl_div_loss import KLDivLoss, kl_div, kl_div_backward
from .l1 import L1Loss, l1_loss, l1_loss_backward
from .linear_cross_entropy_loss import LinearCrossEntropyLoss, linear_cross_entropy, linear_cross_entropy_backward
from .margin_ranking import MarginRankingLoss, margin_ranking_loss, margin_ranking_loss_backward
from .mse import MSELoss, mse_loss, mse_loss_backward
from .multi_margin import MultiMarginLoss, multi_margin_loss, multi_margin_loss_backward
from .multilabel_margin import MultiLabelMarginLoss, multilabel_margin_loss, multilabel_margin_loss_backward
from .multilabel_soft_margin import (
    MultiLabelSoftMarginLoss,
    multilabel_soft_margin_loss,
    multilabel_soft_margin_loss_backward,
)
from .nll import NLLLoss, NLLLoss2d, nll_loss, nll_loss_backward
from .poisson_nll import PoissonNLLLoss, poisson_nll_loss, poisson_nll_loss_backward
from .smooth_l1 import SmoothL1Loss, smooth_l1_loss, smooth_l1_loss_backward
from .soft_margin import SoftMarginLoss, soft_margin_loss, soft_margin_loss_backward
from .triplet_margin import TripletMarginLoss, triplet_margin_loss, triplet_margin_loss_backward
from .triplet_margin_with_distance import (
    TripletMarginWithDistanceLoss,
    triplet_margin_with_distance_loss,
    triplet_margin_with_distance_loss_backward,
)

__all__ = [
    "AdaptiveLogSoftmaxWithLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "LinearCrossEntropyLoss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "NLLLoss2d",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
    "adaptive_log_softmax_with_loss",
    "adaptive_log_softmax_with_loss_backward",
    "binary_cross_entropy",
    "binary_cross_entropy_backward",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_backward",
    "cosine_embedding_loss",
    "cosine_embedding_loss_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "ctc_loss",
    "ctc_loss_backward",
    "gaussian_nll_loss",
    "gaussian_nll_loss_backward",
    "hinge_embedding_loss",
    "hinge_embedding_loss_backward",
    "huber_loss",
    "huber_loss_backward",
    "kl_div",
    "kl_div_backward",
    "l1_loss",
    "l1_loss_backward",
    "linear_cross_entropy",
    "linear_cross_entropy_backward",
    "margin_ranking_loss",
    "margin_ranking_loss_backward",
    "mse_loss",
    "mse_loss_backward",
    "multi_margin_loss",
    "multi_margin_loss_backward",
    "multilabel_margin_loss",
    "multilabel_margin_loss_backward",
    "multilabel_soft_margin_loss",
    "multilabel_soft_margin_loss_backward",
    "nll_loss",
    "nll_loss_backward",
    "poisson_nll_loss",
    "poisson_nll_loss_backward",
    "smooth_l1_loss",
    "smooth_l1_loss_backward",
    "soft_margin_loss",
    "soft_margin_loss_backward",
    "triplet_margin_loss",
    "triplet_margin_loss_backward",
    "triplet_margin_with_distance_loss",
    "triplet_margin_with_distance_loss_backward",
]
