"""A small trace file of each format, made up by hand; figures are easy to work out."""

from __future__ import annotations

SAMPLES: dict[str, bytes] = {
    "mahimahi": b"0\n3\n3\n10\n",
    "cooked": b"180.0\t9.9\n181.0\t1.25\n182.5\t0.8\n",
    "sabre": b"""[
  {"duration_ms": 5000, "bandwidth_kbps": 900, "latency_ms": 40},
  {"duration_ms": 1000, "bandwidth_kbps": 0, "latency_ms": 40}
]
""",
    "json": b"""{"format": "abrkit-trace", "version": 1, "name": "x", "end": "hold",
 "times_s": [0, 1, 2.5], "capacity_bps": [1e6, 2000000], "rtt_s": [0.04, 0.05],
 "loss_ratio": [0, 0.01]}
""",
    "csv": b"""time_s,capacity_kbps,rtt_ms,loss_pct
10,800,40,0
11,0,50,1.5
13,,,
""",
    "oboe": b"1000 1500\n6000 1500\n6000 800\n8000 800\n10000 1200\n12000 1200\n",
    # 1 Mbit/s for 1 s before the first row; 2 Mbit/s; 3 s of which only the last came bytes.
    "hsdpa": b"""1300000000 5000 59.9 10.7 125000 1000
1300000001 6000 59.9 10.7 250000 1000
1300000004 9000 59.9 10.8 125000 1000
""",
    "ghent": b"""1450000000000 1000 51.0 3.7 1250000 1000
1450000001004 2004 51.0 3.7 2500000 1000
1450000002004 3004 51.0 3.7 0 1000
""",
    "raca": b"""Timestamp,Longitude,Latitude,Speed,DL_bitrate,UL_bitrate,State
2020.01.01_10.00.00,-8.5,51.9,3,15000,200,D
2020.01.01_10.00.01,-8.5,51.9,3,10000,200,D
2020.01.01_10.00.01,-8.5,51.9,3,20000,200,D
2020.01.01_10.00.02,-8.5,51.9,3,-,200,D
2020.01.01_10.00.03,-8.5,51.9,3,5000,200,D
2020.01.01_10.00.04,-8.5,51.9,3,0,200,I
2020.01.01_10.10.00,-8.5,51.9,3,0,200,D
""",
    "fcc": b"""unit_id,dtime,target,address,fetch_time,bytes_total,bytes_sec,successes,failures
12,2020-09-01 06:00:00,http://www.example.org,192.0.2.1,100,1000,125000,1,0
12,2020-09-01 00:00:00,http://www.example.org,192.0.2.1,100,1000,250000,1,0
12,2020-09-01 12:00:00,http://www.example.org,192.0.2.1,0,0,0,0,1
34,2020-09-01 00:00:00,http://www.example.org,192.0.2.1,100,1000,500000,1,0
""",
    "puffer": b"""time (ns GMT),session_id,index,size,delivery_rate
1600000000000000000,aB+/c=,1,1000,99
1600000002000000000,aB+/c=,1,1000,125000
1600000003000000000,Zz9,1,1000,99
1600000004000000000,aB+/c=,1,1000,250000
1600000005500000000,Zz9,1,1000,500000
1600000100000000000,aB+/c=,1,1000,125000
""",
    "genet": b"""{"timestamps": [2.0, 3.0, 5.0], "bandwidths": [9.0, 1.5, 0.5],
 "link_rtt": 60, "buffer_thresh": 60000.0, "name": ""}
""",
    "lumos5g": b"""run_num,seq_num,nrStatus,Throughput,mobility_mode,trajectory_direction
1,1,CONNECTED,100,walking,CW
1,2,CONNECTED,300,walking,CW
1,3,NOT,,walking,CW
2,1,CONNECTED,50,driving,ACW
2,2,CONNECTED,70,driving,ACW
""",
    "5gophers": b"""protocol,carrier,num_tcp_conn,run_num,seq_num,throughput_mbps
TCP,A,8,1,0,1200.5
TCP,A,8,1,1,1400.5
TCP,B,8,1,0,40
TCP,B,8,1,1,60
""",
    # 295 kbit in 1 s, 4000 kbit in 0.5 s.
    "lumos": b"""connection_type,bitrate,chunk_size,app_throughput,delivery_time
4g,300,295,295,1.0
4g,300,4000,8000,0.5
""",
    "mtu": b"""Time,rsrp(dBm),Sent Bytes,RATE(MBit/s)
Sat Aug 20 13:29:30 UTC 2022,-12,1000000,99
Sat Aug 20 13:29:33 UTC 2022,-12,7000000,16
Sat Aug 20 13:29:36 UTC 2022,-12,13000000,16
""",
    "starlink": b"""timestamp_start,timestamp_end,server,download,upload,download_mbps
2024-01-11 10:06:39,2024-01-11 10:06:40,192.0.2.1,100000000,7000000,100
2024-01-11 10:06:40,2024-01-11 10:06:41,192.0.2.1,60000000,7000000,60
2024-01-11 10:08:00,2024-01-11 10:08:01,192.0.2.1,80000000,7000000,80
""",
}
