#!/usr/bin/env bash
# Makes one folder that measures this runtime on a GPU machine: the command as a single file, a script that runs everything, and the
# PyTorch side. The machine needs the NVIDIA driver; PyTorch only for the comparison; no .NET, no CUDA toolkit.
# usage: bench/pack_gpu_bench.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?usage: bench/pack_gpu_bench.sh FOLDER}
limit_mb=60
mkdir -p "$folder"
dotnet publish src/Rt.Cli -c Release -r linux-x64 --self-contained -v q -nologo \
    -p:PublishSingleFile=true -p:EnableCompressionInSingleFile=true -p:IncludeNativeLibrariesForSelfExtract=true \
    -p:DebugType=none -p:GenerateDocumentationFile=false -o "$folder/publish"
mv "$folder/publish/rt" "$folder/rt"
rm -r "$folder/publish"
cp bench/gpu_peers.py "$folder/"
cat > "$folder/run.sh" <<'RUN'
#!/usr/bin/env bash
# Checks every op on the GPU, measures kernels and decoding, and compares with PyTorch where it is installed.
# usage: ./run.sh [RESULTS]
set -uo pipefail
cd "$(dirname "$0")"
results=${1:-results}
mkdir -p "$results"
export DOTNET_BUNDLE_EXTRACT_BASE_DIR=${DOTNET_BUNDLE_EXTRACT_BASE_DIR:-$PWD/.extracted}
shape=${RT_SHAPE:-llama-1.1b}
status=0
step() { echo "== $1" >&2; shift; "$@" || { echo "   ended with $?" >&2; status=1; }; }
step "doctor" ./rt doctor --op Add
step "every op on the GPU" ./rt doctor --device cuda --json > "$results/doctor.json"
step "kernels" ./rt bench kernels --device cuda --dtypes bf16,f32 -o "$results/kernels.json"
step "model" sh -c "./rt bench --shape $shape --models models --device cuda --tests tg128@d128,pp512,think512,update512 -o json > $results/model.json"
if python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    step "PyTorch" sh -c "python3 gpu_peers.py $results/kernels.json --checkpoint models/$shape-bf16 --rt-decode $results/model.json -o $results/peers.json | tee $results/peers.md"
else
    echo "== PyTorch: not installed, or it sees no GPU"
fi
exit $status
RUN
chmod +x "$folder/run.sh" "$folder/rt"
size=$(du -sm "$folder" | cut -f1)
echo "$folder: $size MB"
[ "$size" -lt "$limit_mb" ] || { echo "expected less than $limit_mb MB" >&2; exit 1; }
