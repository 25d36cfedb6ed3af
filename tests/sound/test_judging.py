"""``assert_sound``: right answers of any framework and size pass, and planted mistakes do not."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import oracle
from oracle.cases import registry
from oracle.cases.spec import LossSpec
from oracle.sound import truths
from oracle.sound.judging import NotJudgedWarning, judge_arrays
from reference import losses

Array = np.ndarray[Any, Any]

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((40, 30)).astype(np.float32)
TARGET = RNG.integers(0, 30, 40)


def _answer(**options: Any) -> tuple[Any, Any]:
    """Loss and gradient of the reference in float32: one sound implementation."""
    loss = losses.cross_entropy(LOGITS, TARGET, **options)
    return loss, losses.cross_entropy_backward(np.ones_like(loss), LOGITS, TARGET, **options)[0]


def _fails(*arguments: Any, **given: Any) -> str:
    with pytest.raises(AssertionError) as failure:
        oracle.assert_sound(*arguments, **given)
    return str(failure.value)


def test_a_sound_answer_passes_and_says_how_much_was_judged() -> None:
    loss, gradient = _answer(label_smoothing=0.1)
    found = oracle.assert_sound("cross_entropy", loss, gradients={"input": gradient}, input=LOGITS, target=TARGET,
                                label_smoothing=0.1)
    assert (found.judged, found.of, found.shared, found.unjudged) == (1201, 1201, (), ())
    assert 0 < found.share < 1
    assert str(found).startswith("cross_entropy in float32: sound; 1,201 of 1,201 elements judged, largest error ")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_torchs_own_answer_passes(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    x = torch.tensor(LOGITS).to(getattr(torch, dtype)).requires_grad_()
    y = torch.tensor(TARGET)
    loss = torch.nn.functional.cross_entropy(x, y, label_smoothing=0.1)
    loss.backward()
    found = oracle.assert_sound("cross_entropy", loss, gradients={"input": x.grad}, input=x, target=y,
                                label_smoothing=0.1)
    assert (found.dtype, found.judged) == (dtype, 1201)


def test_arrays_of_jax_pass_with_their_own_index_type() -> None:
    jnp = pytest.importorskip("jax.numpy")
    loss, _ = _answer()
    found = oracle.assert_sound("cross_entropy", jnp.asarray(loss), input=jnp.asarray(LOGITS),
                                target=jnp.asarray(TARGET, "int32"))
    assert found.judged == 1


def test_an_ignored_option_is_named() -> None:
    loss, gradient = _answer()
    text = _fails("cross_entropy", loss, gradients={"input": gradient}, input=LOGITS, target=TARGET,
                  label_smoothing=0.1)
    assert "\n  output, grad.input: takes label_smoothing and ignores it" in text
    assert "EXCEEDS output: 1 of 1 elements\n  output[]: got " in text


def test_another_reduction_is_named() -> None:
    assert "output: has reduction='mean'" in _fails("cross_entropy", _answer()[0], input=LOGITS, target=TARGET,
                                                    reduction="sum")


def test_a_dialect_is_named_for_the_output_that_follows_it() -> None:
    x, y = np.float32([[0.5, -2.0], [1.5, 3.0]]), np.float32([[0.0, 0.0], [0.0, 0.0]])
    text = _fails("smooth_l1_loss", np.float32(losses.huber_loss(x, y, delta=0.5)), input=x, target=y, beta=0.5)
    assert "output: matches `smooth_l1_loss` with " in text


@pytest.mark.parametrize(("where", "said"), [(np.s_[17], "in [17, 0..29]"), (np.s_[-1, -3:], "in [39, 27..29]"),
                                             (np.s_[3, 4], "in [3, 4]")])
def test_wrong_places_are_said(where: Any, said: str) -> None:
    loss, gradient = _answer()
    gradient = gradient.copy()
    gradient[where] *= 1.001
    text = _fails("cross_entropy", loss, gradients={"input": gradient}, input=LOGITS, target=TARGET)
    assert said in text
    assert "EXCEEDS output" not in text


def test_what_torch_is_known_to_do_is_accepted_unless_it_is_not_to_be() -> None:
    x = np.float32([[1.0, 2.0], [np.nan, 0.0], [0.5, 0.25]])
    y = np.array([0, -100, 1])
    loss = losses.cross_entropy(x, y)
    gradient = losses.cross_entropy_backward(np.ones_like(loss), x, y)[0]
    assert gradient is not None
    gradient[1] = np.nan  # as torch has it
    given = {"gradients": {"input": gradient}, "input": x, "target": y}
    found = oracle.assert_sound("cross_entropy", loss, **given)
    assert found.shared == ("ce-ignored-nan",)
    assert "shares torch's known ce-ignored-nan" in str(found)
    text = _fails("cross_entropy", loss, strict=True, **given)
    assert "torch is known to do so: ce-ignored-nan: " in text
    assert "without strict=True that is accepted" in text
    gradient[0] = 0
    assert "grad.input" in _fails("cross_entropy", loss, **given), "and nothing beside it"


def test_a_wrong_shape_or_type_of_the_answer_is_unsound() -> None:
    loss, _ = _answer()
    assert "dtype float64, needed is float32" in _fails("cross_entropy", loss.astype(np.float64), input=LOGITS,
                                                        target=TARGET)
    assert "shape (1,), needed is ()" in _fails("cross_entropy", loss.reshape(1), input=LOGITS, target=TARGET)


_GOOD: dict[str, Any] = {"input": LOGITS, "target": TARGET}


@pytest.mark.parametrize(("call", "kind", "message"), [
    (lambda: oracle.assert_sound("cross_entropie", 1.0, **_GOOD), ValueError, "is it cross_entropy"),
    (lambda: oracle.assert_sound("cross_entropy", np.float32(1), labels=TARGET, **_GOOD), ValueError,
     "cross_entropy has no argument 'labels'"),
    (lambda: oracle.assert_sound("cross_entropy", np.float32(1), input=LOGITS), ValueError,
     "cross_entropy needs target; input came"),
    (lambda: oracle.assert_sound("cross_entropy", np.float32(1), input=LOGITS, target=TARGET[:3]), ValueError,
     r"target must have shape \(40,\)"),
    (lambda: oracle.assert_sound("cross_entropy", 1.0, **_GOOD), TypeError, "got needs an array .* a float came"),
    (lambda: oracle.assert_sound("cross_entropy", np.int64(1), **_GOOD), TypeError, "output needs one of float64"),
    (lambda: oracle.assert_sound("cross_entropy", **_GOOD), TypeError, "needs an answer to judge"),
    (lambda: oracle.assert_sound("mse_loss", np.float32(1), input=LOGITS, target=LOGITS.astype(np.float64)), TypeError,
     "one storage type"),
    (lambda: oracle.assert_sound("mse_loss", np.float32(1), input=LOGITS.astype(complex), target=LOGITS), TypeError,
     "input needs one of .*; complex128 came"),
    (lambda: oracle.assert_sound("cross_entropy", _answer()[0], gradients={"target": TARGET}, **_GOOD), ValueError,
     "gradients has 'target', which has no gradient here; those with one are input"),
    (lambda: oracle.assert_sound("cross_entropy", None, gradients={"input": LOGITS}, reduction="none", **_GOOD),
     ValueError, r"grad_output is missing: gradients of a result of shape \(40,\) need it"),
    (lambda: oracle.assert_sound("cross_entropy", None, gradients={"input": LOGITS}, grad_output=np.ones(2), **_GOOD),
     ValueError, r"grad_output needs the shape of the result, \(\); \(2,\) came"),
    (lambda: oracle.assert_sound("cross_entropy", _answer()[0], accuracy="high", **_GOOD), ValueError,
     "accuracy needs storage or opmath; 'high' came"),
])
def test_bad_use_is_refused_with_what_is_needed(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_no_frame_of_the_oracle_is_shown() -> None:
    try:
        oracle.assert_sound("cross_entropy", np.float32(0), **_GOOD)
    except AssertionError as error:
        frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)][1:]
        assert frames
        assert all(frame.get("__tracebackhide__") for frame in frames)


def test_a_sum_whose_bound_says_nothing_is_no_silent_pass() -> None:
    """In any order a float32 sum of so many ones may be off by a tenth."""
    x = np.ones(2**20, np.float32)
    with pytest.raises(ValueError, match=r"nothing can be judged: the bound is 0\.1.* of the array's largest"):
        oracle.assert_sound("l1_loss", np.float32(1.0000001), input=x, target=0 * x)
    gradient = losses.l1_loss_backward(np.float32(1), x, 0 * x)[0]
    with pytest.warns(NotJudgedWarning, match=r"l1_loss: not judged: 1 of 1 elements of output"):
        found = oracle.assert_sound("l1_loss", np.float32(1.0000001), gradients={"input": gradient}, input=x,
                                    target=0 * x)
    assert (found.judged, found.of) == (2**20, 2**20 + 1)
    assert "EXCEEDS output" in _fails("l1_loss", np.float32(2), input=x, target=0 * x)


def test_a_hundred_thousand_elements_take_less_than_a_second() -> None:
    x, y = RNG.standard_normal((100, 1000)).astype(np.float32), RNG.integers(0, 1000, 100)
    loss = losses.cross_entropy(x, y)
    gradient = losses.cross_entropy_backward(np.ones_like(loss), x, y)[0]
    start = time.process_time()
    found = oracle.assert_sound("cross_entropy", loss, gradients={"input": gradient}, input=x, target=y)
    assert time.process_time() - start < 1
    assert found.judged == 100_001


@pytest.mark.filterwarnings("ignore::oracle.sound.judging.NotJudgedWarning")  # terms of kl_div and ctc_loss cancel
@pytest.mark.parametrize("name", [spec.name for spec in registry.specs().values() if isinstance(spec, LossSpec)])
def test_every_loss_is_judged_with_its_gradients(name: str) -> None:
    """The reference's answer to some thousand elements passes; with one gradient a thousandth off it does not."""
    spec = registry.get(name)
    assert isinstance(spec, LossSpec)
    given = spec.sized(3000, np.random.default_rng(0))
    result = spec.function(**given)
    upstream = tuple(map(np.ones_like, result)) if isinstance(result, tuple) else np.ones_like(result)
    slopes = spec.backward(upstream, **given)
    gradients = {argument: g for argument, g in zip(spec.arrays, slopes, strict=True) if g is not None}
    found = oracle.assert_sound(name, result, gradients=gradients, grad_output=upstream, **given)
    assert found.judged > found.of * 4 // 5
    argument = next(iter(gradients))
    spoilt = gradients[argument].copy()
    known = oracle.bound(name, gradients=[argument], grad_output=upstream, **given).others[f"grad.{argument}"]
    place = np.unravel_index(int((np.abs(known.truth) / known.bound).argmax()), spoilt.shape)
    spoilt[place] *= np.float32(1.01)
    assert f"EXCEEDS grad.{argument}: 1 of " in _fails(name, None, gradients={argument: spoilt}, grad_output=upstream,
                                                       **given)


def test_many_and_few_elements_are_judged_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    loss, gradient = _answer()
    given = {"gradients": {"input": gradient}, **_GOOD}
    quick = judge_arrays("cross_entropy", loss, **given).soundness
    monkeypatch.setattr(truths, "FEW", 10**6)
    slow = judge_arrays("cross_entropy", loss, **given).soundness
    assert quick.ulp == pytest.approx(slow.ulp, rel=1e-6)
    assert quick.share == pytest.approx(slow.share, rel=0.02)


def test_underflow_in_another_order_is_no_accusation() -> None:
    """A product of a large array that is below the normal numbers, with its factors in another order."""
    n = 30_000
    x, g = np.full(n, 2.0**-100, np.float32), np.full(n, 2.0**-40, np.float32)
    got = np.float32(2) * (x * g)  # 0 in a first product, or 2^-139
    text = judge_arrays("mse_loss", None, gradients={"input": got}, grad_output=g, input=x, target=0 * x,
                        reduction="none").failure
    assert not text


def test_initializers_are_judged_by_what_they_claim() -> None:
    weights = RNG.uniform(-0.1, 0.1, (200, 400)).astype(np.float32)
    assert oracle.assert_sound("uniform_", weights, a=-0.1, b=0.1).judged == 80_000
    assert "is not distributed as claimed\n  " in _fails("uniform_", weights, a=-0.1, b=0.11)
    assert oracle.assert_sound("eye_", np.eye(3, dtype=np.float32)).of == 9
    assert "tensor[0, 1]: got 1, truth 0" in _fails("eye_", np.ones((3, 3), np.float32))
    with pytest.raises(ValueError, match="cannot be told from one"):
        oracle.assert_sound("orthogonal_", np.eye(3, dtype=np.float32))
