"""Load a run, and ask it all that it knows."""

import cnnbp

run = cnnbp.load("runs/script")
print(run)
print("epochs", len(run.history), "· best loss", min(metrics.monitored_loss for metrics in run.history))
for layer, tensors in run.parameters.items():
    print(layer, {name: array.shape for name, array in tensors.items()})
evaluation = run.evaluate()
print(f"{evaluation.right} of {evaluation.images} right; worst {evaluation.worst[0].name}")
