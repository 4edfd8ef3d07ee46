"""Train on an image folder, into a run directory."""

import cnnbp

config = cnnbp.load_config("configs/lecture.yaml", ["train.epochs=20"])
for epoch in cnnbp.train(config, run="runs/script"):
    metrics = epoch.metrics
    if metrics.val_accuracy is not None:
        print(f"{metrics.epoch:2}  loss {metrics.train_loss:.4f}  accuracy {metrics.val_accuracy:.1%}")
