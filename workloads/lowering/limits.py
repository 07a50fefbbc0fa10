"""What no program can do: which workloads a machine cannot be told to train, as far as the two descriptions say it."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC, CellArithmetic
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.machine_optimiser import PLAIN, MachineOptimiser
from deltatrain.accel.modes import encoder_mode
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.dataset import makes_spikes, title
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.checkpoint.policies.reversible import NEEDS
from deltatrain.workloads.lowering.checkpoint.sizes import runs_backwards
from deltatrain.workloads.lowering.online.limits import online_limits
from deltatrain.workloads.plain_learning import dense_limits
from deltatrain.workloads.workload import TRAINING_PHASES, Workload


def limits(architecture: Architecture, workload: Workload) -> list[str]:
    """Return a line for each reason why no program trains such a workload on such a machine."""
    reasons = workload_limits(workload)
    if architecture.local.ports == 1 and architecture.column_cache is not None:
        reasons.append("a column cache reads and writes a word at once: it needs local.ports = 2, not 1")
    reasons += array_limits(architecture) + _group_limits(architecture)
    reasons += online_limits(architecture, workload)
    reasons += _optimiser_on_machine(architecture, workload.training.machine_optimiser)
    checkpoint = architecture.checkpoint
    if not workload.learns and checkpoint.policy is not None and checkpoint.tape_home != "local":
        reasons.append(
            f"checkpoint.policy must be 'store_all' or left out for phases {list(workload.phases)}, which leave no "
            f"tape, not {checkpoint.policy!r}"
        )
    return reasons + _policy_limits(architecture, CELL_ARITHMETIC.load(CELLS.load(workload.cell).ARITHMETIC))


def array_limits(architecture: Architecture) -> list[str]:
    """Return what several arrays of lanes do not go with."""
    arrays, reasons = architecture.engine.arrays, list[str]()
    if arrays == 1:
        return reasons
    if architecture.tiles.count > 1:
        reasons.append(
            f"engine.arrays must be 1, not {arrays}, on a machine of several tiles: no op tells each tile's turns"
        )
    if architecture.column_cache is not None:
        reasons.append(f"engine.arrays must be 1, not {arrays}, beside a column cache, whose lines have one reader")
    if architecture.local.ports == 1:
        reasons.append(f"engine.arrays must be 1, not {arrays}, or local.ports = 2: one port has a law for one array")
    return reasons


def _group_limits(architecture: Architecture) -> list[str]:
    """Return what does not go with weight gradients of several steps in one op."""
    steps = architecture.engine.outer_steps
    if steps == 1:
        return []
    field, reasons = f"engine.outer_steps must be 1, not {steps}", list[str]()
    if architecture.tiles.count > 1:
        reasons.append(f"{field}, on a machine of several tiles, which send the lists of each step once more")
    if architecture.local.ports == 1:
        reasons.append(f"{field}, with local.ports = 1, which has a law for ops of one step")
    if architecture.checkpoint.runs_again or architecture.homes["tape"] == "remote":
        policy = architecture.checkpoint.policy
        where = "placement.tape = 'remote'" if policy is None else f"checkpoint.policy = {policy!r}"
        reasons.append(f"{field}, with {where}: the tape of a group is kept in local memory, and freed as one")
    return reasons


def workload_limits(workload: Workload) -> list[str]:
    """Return a line for each reason why there is no program for such a workload, whatever the machine."""
    reasons = []
    if workload.embedding is not None and workload.embedding.tied:
        reasons.append(
            "embedding.tied must be false for a machine, whose read-out lies by columns: a word would be a row of it"
        )
    if workload.training.machine_optimiser != PLAIN:
        reasons += _optimiser_limits(workload)
    arithmetic = CELL_ARITHMETIC.load(CELLS.load(workload.cell).ARITHMETIC)
    if not encoder_mode(arithmetic.ENCODER).HELD and not makes_spikes(workload.dataset):
        reasons.append(
            f"cell {workload.cell!r} lists spikes by their index alone, and data set {title(workload.dataset)!r} has "
            "other values: to simulate, take a data set of spikes, or say dataset.spikes = true of one's own"
        )
    return reasons


def _optimiser_limits(workload: Workload) -> list[str]:
    """Return why another optimiser than plain gradient descent has no program: it works on all weights there are."""
    named = workload.training.machine_optimiser.words
    reasons = dense_limits(workload, named)
    if workload.embedding is not None:
        reasons.append(f"embedding must be left out for {named}: of it only the words that occur are updated")
    return reasons


def _optimiser_on_machine(architecture: Architecture, optimiser: MachineOptimiser) -> list[str]:
    reasons, field = [], "training.machine_optimiser"
    if optimiser.clip_norm is not None and architecture.tiles.count > 1:
        reasons.append(f"{field}.clip_norm must be left out for a machine of several tiles, which add up no norm")
    if optimiser.further_numbers and architecture.local.ports == 1:
        reasons.append(f"{field}.name {optimiser.name!r} needs local.ports = 2, not 1: banks have no law for it")
    needed = 2 * (1 + optimiser.further_numbers) * architecture.gradient_word_bytes
    if optimiser.further_numbers and architecture.column_buffer_bytes < needed:
        reasons.append(
            f"dma.buffer_bytes must hold two words of moments and dW ({needed // architecture.tiles.count} bytes) for "
            f"{field}.name {optimiser.name!r}, not {architecture.dma.buffer_bytes}"
        )
    return reasons


def stream_limits(workload: Workload, what: str) -> list[str]:
    """Return why `what`, which knows of whole sequences of vectors, refuses a workload of words or of windows."""
    reasons = []
    if workload.embedding is not None:
        reasons.append(f"embedding must be left out for {what}, which knows of no words that are looked up")
    if workload.training.truncate_steps is not None:
        reasons.append(f"training.truncate_steps must be left out for {what}, which is of whole sequences")
    return reasons


def forward_limits(workload: Workload, what: str) -> list[str]:
    """Return why `what`, which needs a whole training step, refuses a workload that runs forward alone."""
    if workload.learns:
        return []
    return [f"phases must be {list(TRAINING_PHASES)} for {what}, not {list(workload.phases)}"]


def _policy_limits(architecture: Architecture, arithmetic: CellArithmetic) -> list[str]:
    policy = architecture.checkpoint.policy
    if policy is None:
        return []
    try:
        POLICIES.load(policy)
    except ConfigError as error:
        return [f"checkpoint.policy: {error}"]
    runs_back = runs_backwards(arithmetic, architecture.engine.formats)
    return [NEEDS] if policy == "reversible" and not runs_back else []
