"""What a picture of the sample model costs beyond loading torch: whole processes, the picture written and recorded.

python benchmarks/demo_picture.py [--rounds 5] [--write]
"""

from __future__ import annotations

from measuring import PYTHON, SDKEEP, arguments, by_turns, costs_table, publish, workplace

BARE = "python, `import torch`"
MADE = '`sdkeep generate "a photo of a seven" --model digits`'
RECORDED = MADE + ", with a catalogue"


def main() -> None:
    options = arguments(__doc__ or "", rounds=5).parse_args()
    with workplace(options.work) as home:
        known = home / "known"
        picture = ["generate", "a photo of a seven", "--model", "digits", "--seed", "1"]
        commands = {
            BARE: [*PYTHON, "-c", "import torch"],
            MADE: [*SDKEEP, *picture, "-o", str(home / "pictures")],
            RECORDED: ["env", f"SDKEEP_HOME={known}", *SDKEEP, *picture, "-o", str(home / "recorded")],
        }
        environ = {"SDKEEP_HOME": str(home / "none"), "PYTHONDONTWRITEBYTECODE": ""}
        by_turns({"a catalogue": [*SDKEEP, "ls"]}, 1, environ={"SDKEEP_HOME": str(known)})
        by_turns(commands, 1, environ=environ)  # byte code written, files in memory
        costs = by_turns(commands, options.rounds, environ=environ)
    beyond = [
        f"{name}: {costs[name].cpu - costs[BARE].cpu:.2f} s of processor time beyond torch, "
        f"{costs[name].wall - costs[BARE].wall:.2f} s by the clock."
        for name in (MADE, RECORDED)
    ]
    publish("demo_picture", "\n\n".join([costs_table(costs), *beyond]), write=options.write)


if __name__ == "__main__":
    main()
