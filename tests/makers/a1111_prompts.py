"""AUTOMATIC1111's grammar of scheduled prompts, stated anew for lark: what our parser is compared with."""

from __future__ import annotations

import lark

GRAMMAR = lark.Lark(
    r"""
    !start: (prompt | /[][():]/+)*
    prompt: (emphasized | scheduled | alternate | plain | WHITESPACE)*
    !emphasized: "(" prompt ")" | "(" prompt ":" prompt ")" | "[" prompt "]"
    scheduled: "[" [prompt ":"] prompt ":" [WHITESPACE] NUMBER [WHITESPACE] "]"
    alternate: "[" prompt ("|" [prompt])+ "]"
    WHITESPACE: /\s+/
    plain: /([^\\\[\]():|]|\\.)+/
    %import common.SIGNED_NUMBER -> NUMBER
    """
)


def schedule_by_grammar(prompt: str, count: int, before: int = 0) -> list[tuple[int, str]]:
    """(last step, text) of each stretch, as AUTOMATIC1111 reads the tree."""
    try:
        tree = GRAMMAR.parse(prompt)
    except lark.exceptions.LarkError:
        return [(count, prompt)]

    def when(text: str) -> int:
        value = (float(text) - (1.0 if before else 0.0)) * count if "." in text else float(text) - before
        return min(count, int(value))

    borders = {count}

    class Collect(lark.Visitor):
        def scheduled(self, node):
            step = when(node.children[-2])
            if step >= 1:
                borders.add(step)

        def alternate(self, node):
            borders.update(range(1, count + 1))

    Collect().visit(tree)

    def text_at(node, step: int) -> str:
        if node is None:
            return ""
        if isinstance(node, lark.Token):
            return str(node)
        if node.data == "scheduled":
            first, after, _, number, _ = node.children
            return text_at(first if step <= when(number) else after, step)
        if node.data == "alternate":
            options = node.children
            return text_at(options[(step - 1) % len(options)], step)
        return "".join(text_at(child, step) for child in node.children)

    return [(border, text_at(tree, border)) for border in sorted(borders)]
