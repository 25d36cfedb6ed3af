"""Cases, truths and bounds as files, for implementations that no Python can call; and the verdict on their results.

For each op ``<op>.json`` says what its cases are, by the schema in ``vectors.schema.json``, and
``<op>.safetensors`` holds their arrays. Tensor names are ``<number of the case>/<path>``. A loss has arguments and
the gradient from above; an optimizer its parameter groups and the gradients of every step, whose outputs are
stacked over the steps; an initializer arguments and seeds. Of each output the truth has these parts, all but the
first two only where they say something:

* ``hi``: the exact value rounded to a double, or the class (NaN, an infinity, a signed zero) where none is enclosed;
* ``bound``: how far from ``hi + lo`` a sound evaluation may end;
* ``lo``: the rest of the exact value, to 106 bits;
* ``precise``: the bound that there were if the type had no limits, where it is another;
* ``scale``: the largest magnitude, by which a bound is found too wide (one for each step of a trajectory);
* ``special``: where there is no enclosure, and classes and the signs of zeros are compared;
* ``equal`` stands in the place of all of them where an output has to be equal.

Results are tensors called ``<id of the case>:<output>`` in any number of safetensors files.
"""

from __future__ import annotations

__all__ = ["DTYPES", "FLAGS", "FORMAT", "SCHEMA", "VectorsError"]

FORMAT = "torch-oracle vectors 2"
SCHEMA = "vectors.schema.json"

#: What is said of cases beside their truths.
FLAGS = {
    "gradient": "has gradients with respect to arguments among the outputs",
    "event": "something happens between steps: its surroundings say what",
    "kink": "sits where the gradient is a convention and no derivative",
    "memory": "arrays lie in memory as its surroundings say; what is written here are their numbers, in reading order",
    "range": "an evaluation in the type can overflow or underflow on the way to a value that it can represent",
    "size": "has as many elements as its surroundings say: the edge of a vector, a block or a grid",
    "sparse": "has gradients that hold some elements only",
    "special": "some exact values are not finite or have no enclosure: their class is compared, and signs of zeros",
    "steps": "has outputs that are stacked over the steps of a trajectory",
    "tensors": "has as many parameters as its surroundings say",
    "undecided": "an evaluation in the type may end anywhere for some elements: they are not judged",
    "vacuous": "some bounds are wider than a tenth of the array's largest magnitude: they say nothing",
}

#: The types of safetensors -> those of NumPy, but for bfloat16, which is not NumPy's own.
DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32", "I16": "int16",
          "I8": "int8", "U8": "uint8", "BOOL": "bool"}


class VectorsError(Exception):
    """A folder or file that cannot be used; the message is one line."""
