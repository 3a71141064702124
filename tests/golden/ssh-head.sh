set -euo pipefail
folder="$HOME/.cache/rnn-tuner/ray-10.0.0.1-6379"
umask 077
mkdir -p "$folder"
if [ -e "$folder/pid" ] && kill -0 "$(cat "$folder/pid")" 2>/dev/null; then
    echo "runs already"
    exit
fi
cat > "$folder/token" <<'END_OF_TOKEN'
TOKEN
END_OF_TOKEN
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$folder/token"
setsid nohup env RAY_health_check_period_ms=2000 RAY_health_check_timeout_ms=4000 RAY_health_check_failure_threshold=4 /opt/tuner/bin/python -m ray.scripts.scripts start --head --block --node-ip-address=10.0.0.1 --port=6379 --dashboard-host=127.0.0.1 --dashboard-port=8265 --object-store-memory=268435456 --disable-usage-stats > "$folder/ray.log" 2>&1 < /dev/null &
pid=$!
echo "$pid" > "$folder/pid"
for _ in $(seq 60); do
    if ! kill -0 "$pid" 2>/dev/null; then
        tail -n 5 "$folder/ray.log" >&2
        exit 1
    fi
    if grep -q "Ray runtime started" "$folder/ray.log"; then
        echo "started"
        exit
    fi
    sleep 1
done
echo "not started within 60 s; see $folder/ray.log" >&2
exit 1
