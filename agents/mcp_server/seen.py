"""What a client's model sees of netloop: JSON whose words are data, short, and all of it visible.

Class names, file names and columns come from captures and may be made to be read by a model. They
reach it as values and keys of JSON only, never in a sentence that tells it what to do. Every answer
passes ``seen``: a stricter wall is put there.
"""

from typing import Any

from pipelines.visible import visible

LONGEST_TEXT = 600
LONGEST_NAME = 120
MOST_ITEMS = 100
MORE = "(left out)"


def seen(value: Any) -> Any:
    """A JSON value with every text visible and shortened, and long lists and objects cut.

    What was left out is counted in its place. Other types than JSON's are an error of ours.
    """
    if isinstance(value, str):
        return visible(value, LONGEST_TEXT)
    if isinstance(value, dict):
        kept = list(value.items())[:MOST_ITEMS]
        shown = {visible(name, LONGEST_NAME): seen(each) for name, each in kept}
        left = len(value) - len(shown)
        return {**shown, MORE: left} if left else shown
    if isinstance(value, list):
        left = len(value) - MOST_ITEMS
        items = [seen(each) for each in value[:MOST_ITEMS]]
        return [*items, f"{MORE} {left}"] if left > 0 else items
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError(f"{type(value).__name__} is no JSON")
