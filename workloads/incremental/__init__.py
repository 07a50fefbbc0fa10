"""Incremental learning: new classes one task after the other, with few recordings kept of those before (iCaRL).

S. Rebuffi, A. Kolesnikov, G. Sperl, C. Lampert, "iCaRL: Incremental classifier and representation learning", CVPR 2017,
arXiv:1611.07725; of delta networks in Chen et al., AAAI 2024, arXiv:2312.09391.
"""
