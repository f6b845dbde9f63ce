"""The witness: what a network that was never told of damage makes of a surface's patches.

A classifier learns the damage that it was shown. DINOv2 (`lrpseg.models.vit`) learned from pictures
of everything and without labels; what a patch of it has no like among patches of intact surfaces is
suspicious, whatever kind of damage it is (PatchCore, Roth et al. 2022, DOI
10.1109/CVPR52688.2022.01392).
"""
