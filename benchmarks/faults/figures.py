"""All figures of the campaign, in the order of the page."""

from benchmarks.faults.concurrent_reads import ConcurrentReads
from benchmarks.faults.daily_runs import DailyRuns
from benchmarks.faults.failed_calls import FailedCalls
from benchmarks.faults.flipped_bits import FlippedBits
from benchmarks.faults.hostile_inputs import HostileInputs
from benchmarks.faults.killed_servers import KilledServers
from benchmarks.faults.kills import Kills
from benchmarks.faults.power_cuts import PowerCuts
from benchmarks.faults.protocol import Figure
from benchmarks.faults.simulated_year import SimulatedYear

FIGURES: tuple[Figure, ...] = (
    Kills(), PowerCuts(), FailedCalls(), KilledServers(), ConcurrentReads(), FlippedBits(), HostileInputs(),
    SimulatedYear(), DailyRuns(),
)  # fmt: skip
