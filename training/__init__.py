"""Training, calibration and measuring: from labelled pictures to a domain that ships."""

from lrpseg.core.moved import moved

moved(
    {
        "training.datasets": "training.data.datasets",
        "training.crops": "training.data.crops",
        "training.drawn_damage": "training.data.drawn_damage",
        "training.corrected": "training.data.corrected",
        "training.proposals": "training.data.proposals",
        "training.self_training_crops": "training.data.self_training_crops",
        "training.draw_samples": "training.data.draw_samples",
        "training.draw_tiles": "training.data.draw_tiles",
        "training.unet_loop": "training.loops.loop",
        "training.train": "training.loops.train",
        "training.train_unet": "training.loops.train_unet",
        "training.self_train": "training.loops.self_train",
        "training.resuming": "training.loops.resuming",
        "training.validation": "training.loops.validation",
        "training.calibration": "training.loops.calibration",
        "training.unet": "training.loops.unet",
        "training.beyond": "training.reports.beyond",
        "training.classification": "training.reports.classification",
        "training.compare": "training.reports.compare",
        "training.effort": "training.reports.effort",
        "training.effort_report": "training.reports.effort_report",
        "training.evaluate": "training.reports.evaluate",
        "training.metrics": "training.reports.metrics",
        "training.operating_points": "training.reports.operating_points",
        "training.paper": "training.reports.paper",
        "training.plots": "training.reports.plots",
        "training.report": "training.reports.report",
        "training.segmentation": "training.reports.segmentation",
        "training.systems": "training.reports.systems",
        "training.tables": "training.reports.tables",
        "training.annotator": "training.reports.annotator",
    }
)
