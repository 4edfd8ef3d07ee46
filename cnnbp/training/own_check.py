"""Training's look at itself before the first step: is the step that it is about to take what the layers say it is?

The comparison is the gradient checker's, on the images and the parameters that there are. It has its own engine and its
own copies, and all random numbers are keyed, so the run's bits are the same with it and without it.
"""

from dataclasses import replace
from functools import partial

from cnnbp.engine import Engine
from cnnbp.errors import WrongStep
from cnnbp.gradcheck.as_trained import AsTrained, Training, check_as_trained
from cnnbp.gradcheck.point import Point
from cnnbp.training.job import Job
from cnnbp.training.state import TrainingState

SHARE = 0.01  # of a run's time that it may take


def check_first_step(job: Job, state: TrainingState) -> AsTrained | None:
    """Compare the step that a state is about to take; None where that would take more than its share of the run.

    Raises WrongStep where it is wrong.
    """
    config, network = job.config, job.config.network
    training = Training.of(network, job.batch_size, config.train.planner)
    left = (config.train.epochs - state.epoch) * len(job.datasets.train)
    if training.cost(network) > SHARE * left:
        return None
    over, first = divmod(state.sums.steps, job.steps_per_epoch)  # of an epoch that is validating no step is left
    [images, *_] = next(job.batches(state.epoch + over, first)).micro_batches
    point = Point(network, job.engine.loss, state.parameters, state.running_statistics, images.x, images.labels)
    if job.engine.ranks.size > 1:
        training = replace(training, engine=partial(Engine, processes=False))
    found = check_as_trained(point, training, seed=config.seed, threads=job.engine.threads)
    if found.verdict == "fail":
        raise WrongStep(
            f"the step that training is about to take is not what its layers give: {found.hint}\n"
            "  `cnnbp gradcheck` says more; train.kernels=written trains on the layers' own code, --no-check unseen"
        )
    return found
