"""The command `deltatrain`: its subcommands, one file each but for `completion`, and how all of them report errors.

The function of every file is called `command`. The exit status is 0 when done, 2 for a mistake or an obstacle on the
user's machine, 130 when interrupted, 143 when terminated. Errors are lines on standard error that start with
``deltatrain:``. A command imports what it uses when it runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import UnusedCliTokensError

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.version import VERSION
from deltatrain.sim.cli import (
    advise,
    bench,
    calibrate,
    choices,
    compare,
    data,
    describe,
    dram,
    evaluate,
    export_network,
    fpga,
    front,
    import_network,
    plan,
    report,
    run,
    schema,
    simulate,
    study,
    sweep,
    train,
    verify,
    verilog,
)
from deltatrain.sim.cli.interruption import StoppedError, ended_like_ctrl_c
from deltatrain.sim.cli.invocation import said
from deltatrain.sim.cli.streams import forget_stdout, ready_streams

MISTAKE, INTERRUPTED, BROKEN_PIPE, TERMINATED = 2, 130, 141, 143  # but for the first as a shell reports signals

_ABOUT = """Simulate, cycle by cycle, what it costs to train a recurrent network that computes on changes only.

For example:

  deltatrain run                         spoken digits on the edge machine
  deltatrain run --workload synthetic    without training, without a network
  deltatrain describe edge               what the machine is made of
  deltatrain list                        everything there is to choose from
"""


def _completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(name="SHELL", help="The shell.")], /
) -> None:
    """Print a script with which a shell completes commands, options and their values.

    For example:

      deltatrain completion bash > ~/.local/share/bash-completion/completions/deltatrain
      deltatrain completion zsh > ~/.zfunc/_deltatrain
      deltatrain completion fish > ~/.config/fish/completions/deltatrain.fish
    """
    sys.stdout.write(application().generate_completion(shell=shell))


COMMANDS: dict[str, Callable[..., None]] = {
    "run": run.command,
    "train": train.command,
    "evaluate": evaluate.command,
    "simulate": simulate.command,
    "advise": advise.command,
    "plan": plan.command,
    "import": import_network.command,
    "export": export_network.command,
    "describe": describe.command,
    "list": choices.command,
    "schema": schema.command,
    "data": data.command,
    "verify": verify.command,
    "verilog": verilog.command,
    "fpga": fpga.command,
    "study": study.command,
    "dram": dram.command,
    "calibrate": calibrate.command,
    "sweep": sweep.command,
    "front": front.command,
    "compare": compare.command,
    "report": report.command,
    "bench": bench.command,
    "completion": _completion,
}
"""Each command by its word, in the order of the help."""


def application() -> App:
    """Return the command with all its commands."""
    app = App(
        name="deltatrain",
        help=_ABOUT,
        help_format="plaintext",
        version=VERSION,
        default_parameter=Parameter(negative=()),
    )
    for position, (name, function) in enumerate(COMMANDS.items()):
        app.command(function, name=name, sort_key=position)
    app["data"].command(data.show, name="show")
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Parameters
    ----------
    arguments
        Without the program's name; None takes the process's own.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    ready_streams()
    if any("\0" in word for word in given):
        return _complain(["an argument must not have a NUL in it"])
    with warnings.catch_warnings(), ended_like_ctrl_c() as received:
        if not sys.warnoptions:
            warnings.simplefilter("ignore")  # warnings are for developers, who ask for them with -W
        try:
            with said(given):
                _execute(given)
            sys.stdout.flush()
        except (ConfigError, CycloptsError) as error:
            return _complain(_lines(error))
        except StoppedError as stop:
            return _complain([_how_to_go_on(stop, given)], TERMINATED if received else INTERRUPTED)
        except KeyboardInterrupt:
            return _complain(["interrupted; nothing was changed"], TERMINATED if received else INTERRUPTED)
        except BrokenPipeError:
            forget_stdout()
            return BROKEN_PIPE
        except OSError as error:
            forget_stdout()
            return _complain([f"{error.filename or 'standard output'} cannot be used: {error.strerror}"])
        except MemoryError as error:
            return _complain([f"this machine's memory is too small: {error or 'make the workload smaller'}"])
    return 0


def _execute(arguments: list[str]) -> None:
    try:
        command, bound, _ = application().parse_args(arguments, print_error=False, exit_on_error=False)
    except UnusedCliTokensError as error:
        unused = next(iter(error.unused_tokens or ()), None)
        raise _of_wrong_kind(error.target, {"": unused}) or error from None
    try:
        command(*bound.args, **bound.kwargs)
    except ConfigError as error:
        raise _of_wrong_kind(command, bound.arguments) or error from None


def _of_wrong_kind(command: Callable[..., None] | None, given: Mapping[str, object]) -> ConfigError | None:
    """Return the error about an argument of another kind than its parameter takes, if there is one."""
    from deltatrain.sim.cli.meant import meant

    words = [word for word, function in COMMANDS.items() if function is command]
    lines = [line for word in words if (line := meant(word, COMMANDS[word], given))]
    return ConfigError(lines[0]) if lines else None


def _complain(lines: Sequence[str], status: int = MISTAKE) -> int:
    sys.stderr.write("".join(f"deltatrain: {line}\n" for line in lines))
    return status


def _lines(error: Exception) -> list[str]:
    """Return the lines of an error: one for each fault of a description, a single one from the arguments' parser."""
    text = str(error).strip()
    return text.splitlines() if isinstance(error, ConfigError) else [" ".join(text.split())]


def _how_to_go_on(stop: StoppedError, arguments: list[str]) -> str:
    if stop.advice:
        return f"interrupted; {stop.advice}"
    if stop.state is None or not stop.state.exists():
        return "interrupted; nothing was kept"
    again = shlex.join(["deltatrain", *(word for word in arguments if word != "--resume"), "--resume"])
    return f"interrupted; {stop.state} keeps what was trained up to the last whole epoch, go on with `{again}`"
