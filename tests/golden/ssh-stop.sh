set -euo pipefail
folder="$HOME/.cache/rnn-tuner/ray-10.0.0.2-6379"
if [ ! -e "$folder/pid" ] || ! kill -0 "$(cat "$folder/pid")" 2>/dev/null; then
    echo "did not run"
    exit
fi
pid=$(cat "$folder/pid")
kill -TERM "$pid"
for _ in $(seq 20); do
    if ! kill -0 "$pid" 2>/dev/null; then break; fi
    sleep 1
done
pkill -KILL --session "$pid" || true
rm -rf "$folder"
echo "stopped"
