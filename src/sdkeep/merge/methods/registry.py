"""Every merge method there is, as one literal table."""

from __future__ import annotations

from difflib import get_close_matches

from sdkeep.ground.errors import UsageError
from sdkeep.merge.methods import linear
from sdkeep.merge.methods.method import Later, Method, Parameter, Space

_W, _D, _S = Space.WEIGHT, Space.DELTA, Space.SAME

_ALPHA = Parameter("alpha", 0.5, "how much of the second model")
_ADD = Parameter("alpha", 1.0, "how much of the difference", least=-4, most=4)
_BETA = Parameter("beta", 0.5, "how much of the third model")
_DENSITY = Parameter("density", 0.5, "the share of each difference that is kept")
_VOTES = Parameter("votes", 0.0, "0: signs are elected by value, 1: by number", whole=True)
_EPSILON = Parameter("epsilon", 0.1, "how much likelier the largest numbers are kept than the smallest")


def _elementwise(name: str) -> Later:
    return Later("elementwise", name)


def _sparse(name: str) -> Later:
    return Later("sparse", name)


def _whole(name: str) -> Later:
    return Later("whole", name)


METHODS: tuple[Method, ...] = (
    Method("no-interpolation", linear.nothing, "the model itself: to change its VAE, precision or parts",
           "AUTOMATIC1111", 1, 1, elementwise=True, copies=linear.whole, spaces=(_S,)),
    Method("weighted-sum", linear.weighted_sum, "between two models", "AUTOMATIC1111", 2, 2, (_ALPHA,), (_S,),
           elementwise=True, copies=linear.ends),
    Method("sigmoid", linear.sigmoid, "between two models, slower at the ends", "AUTOMATIC1111, 2022", 2, 2, (_ALPHA,),
           (_S,), elementwise=True, copies=linear.ends),
    Method("inverse-sigmoid", linear.inverse_sigmoid, "between two models, faster at the ends", "AUTOMATIC1111, 2022",
           2, 2, (_ALPHA,), (_S,), elementwise=True, copies=linear.ends),
    Method("add-difference", linear.add_difference, "what the second model learned over the third, put on the first",
           "AUTOMATIC1111", 3, 3, (_ADD,), elementwise=True, copies=linear.start),
    Method("train-difference", _elementwise("train_difference"),
           "the same, weaker where the first model has learned it already", "hako-mikan/sd-webui-supermerger", 3, 3,
           (_ADD,), elementwise=True, copies=linear.start),
    Method("smooth-add", _whole("smooth_add"), "the same, the difference smoothed", "hako-mikan/sd-webui-supermerger",
           3, 3, (_ADD,), copies=linear.start),
    Method("tensor-sum", _whole("tensor_sum"), "some rows of each tensor from the second model",
           "hako-mikan/sd-webui-supermerger", 2, 2, (Parameter("alpha", 0.5, "the share of rows that are taken"),
           Parameter("beta", 0.0, "where they begin"))),
    Method("triple-sum", linear.triple_sum, "between three models", "hako-mikan/sd-webui-supermerger", 3, 3,
           (Parameter("alpha", 0.33, "how much of the second model"), Parameter("beta", 0.33, "how much of the third")),
           (_S,), elementwise=True, copies=linear.three_ends),
    Method("sum-twice", linear.sum_twice, "between two models, then between that and a third",
           "hako-mikan/sd-webui-supermerger", 3, 3, (_ALPHA, _BETA), (_S,), elementwise=True,
           copies=linear.twice_ends),
    Method("slerp", _whole("slerp"), "between two models along an arc, so that lengths are kept",
           "Shoemake, Animating Rotation with Quaternion Curves, 1985", 2, 2, (_ALPHA,), (_S,), copies=linear.ends),
    Method("average", linear.average, "the mean of any number of models",
           "Wortsman et al., Model soups, arXiv:2203.05482", 2, None, spaces=(_S,), elementwise=True),
    Method("cosine-a", _whole("cosine_a"), "the first model where both agree, the second where they do not",
           "hako-mikan/sd-webui-supermerger", 2, 2, (Parameter("alpha", 0.0, "how much the first model yields",
           least=-1),), ranged=_whole("likeness_a")),
    Method("cosine-b", _whole("cosine_b"), "the same by the likeness of unnormalised weights",
           "hako-mikan/sd-webui-supermerger", 2, 2, (Parameter("alpha", 0.0, "how much the first model yields",
           least=-1),), ranged=_whole("likeness_b")),
    Method("similarity-add", _elementwise("similarity_add"),
           "a weighted sum where models agree, an added difference elsewhere", "s1dlx/meh", 3, 3, (_ADD,
           Parameter("beta", 0.5, "how much agreement counts")), elementwise=True),
    Method("geometric", _whole("geometric"), "between two models by multiplication", "ljleb/sd-mecha", 2, 2, (_ALPHA,),
           copies=linear.ends),
    Method("ties", _sparse("ties"), "the strongest differences of several models from a base, signs reconciled",
           "Yadav et al., TIES-Merging, arXiv:2306.01708", 2, None, (_ADD, _DENSITY, _VOTES), copies=linear.start),
    Method("dare", _sparse("dare"), "a random part of the differences of several models from a base, made up for",
           "Yu et al., Language Models are Super Mario, arXiv:2311.03099", 2, None, (_ADD, _DENSITY), seeded=True,
           copies=linear.start),
    Method("dare-ties", _sparse("dare_ties"), "DARE, its signs reconciled as in TIES", "Yu et al., arXiv:2311.03099", 2,
           None, (_ADD, _DENSITY), seeded=True, copies=linear.start),
    Method("della", _sparse("della"), "as DARE, large differences kept more often; signs reconciled",
           "Deep et al., DELLA-Merging, arXiv:2406.11617", 2, None, (_ADD, _DENSITY, _EPSILON), seeded=True,
           copies=linear.start),
    Method("model-stock", _whole("model_stock"), "the mean of fine-tunes, nearer to their base the less they agree",
           "Jang et al., Model Stock, arXiv:2403.19522", 3, None),
    Method("crossover", _whole("crossover"), "slow changes of one model, fast ones of another, in the order of a third",
           "s1dlx/meh (distribution crossover)", 3, 3, (Parameter("alpha", 0.5, "where the spectrum is cut"),
           Parameter("beta", 0.0, "how soft the cut is"))),
    Method("rotate", _whole("rotate"), "the first model turned towards the second", "ljleb/sd-mecha; Procrustes", 2, 2,
           (Parameter("alpha", 0.0, "how far beyond turning it goes"),)),
    Method("clamp", _elementwise("clamp"), "the first model, kept between the others", "ljleb/sd-mecha", 3, None,
           spaces=(_S,), elementwise=True),
    Method("top-k", _sparse("top_k"), "the first model's values in the second's order, for a band of magnitudes",
           "s1dlx/meh", 2, 2, (Parameter("alpha", 0.5, "how wide the band is"), Parameter("beta", 0.0,
           "where it begins"))),
    Method("extract", _whole("extract"), "what two models share beyond a base, or what they do not",
           "hako-mikan/sd-webui-supermerger", 3, 3, (_ALPHA, Parameter("beta", 0.0,
           "0: what they share, 1: what they do not"), Parameter("gamma", 1.0, "how sharply", most=16))),
    Method("difference", linear.difference, "what the first model has learned over the second; for recipes",
           "arithmetic", 2, 2, gives=_D, elementwise=True),
    Method("add", linear.add, "a difference put on a model; for recipes", "arithmetic", 2, 2, (_ADD,), (_W, _D),
           elementwise=True, copies=linear.start),
    Method("scale", linear.scale, "a difference made stronger or weaker; for recipes", "arithmetic", 1, 1, (_ADD,),
           (_D,), elementwise=True),
    Method("ties-difference", _sparse("ties_delta"), "TIES on differences; for recipes", "arXiv:2306.01708", 1, None,
           (_DENSITY, _VOTES), (_D,)),
    Method("dare-difference", _sparse("dare_delta"), "DARE on differences; for recipes", "arXiv:2311.03099", 1, None,
           (_DENSITY,), (_D,), seeded=True),
    Method("della-difference", _sparse("della_delta"), "DELLA on differences; for recipes", "arXiv:2406.11617", 1, None,
           (_DENSITY, _EPSILON), (_D,), seeded=True),
    Method("stock-difference", _whole("stock_delta"), "model stock on differences; for recipes", "arXiv:2403.19522", 2,
           None, (), (_D,)),
)  # fmt: skip

_BY_NAME = {method.name: method for method in METHODS}


def find(name: str) -> Method:
    """The method called `name` (case, `_` and spaces forgiven); raises `UsageError` with the nearest ones."""
    word = name.strip().lower().replace("_", "-").replace(" ", "-")
    method = _BY_NAME.get(word)
    if method is None:
        near = get_close_matches(word, _BY_NAME, 3, 0.5) or list(_BY_NAME)
        raise UsageError(
            f"`{name}` is no merge method", "the nearest are " + ", ".join(near), f"`--method {near[0]}`, for one"
        )
    return method
