using System.Numerics;
using Tmem.Engine.Format;

namespace Tmem.Engine.Pools;

/// <summary>
/// Pools being restored. Each names its restore in the region, and a restore is a bit of the superblock while it is under way: an
/// attach drops the pools whose bit is set, so clearing the bit is the one store that makes all of them exist.
/// </summary>
internal sealed unsafe partial class PoolTable
{
    /// <summary>Takes a number from 1 to 64 for a restore. False if all are in use.</summary>
    public bool TryBeginRestore(out int restore)
    {
        lock (_change)
        {
            restore = BitOperations.TrailingZeroCount(~_superblock->OpenRestores) + 1;
            if (restore > 64) return false;
            Volatile.Write(ref _superblock->OpenRestores, _superblock->OpenRestores | BitOf(restore));
            return true;
        }
    }

    /// <summary>
    /// Makes a pool that no client can name yet. It takes its shared id from here on, with this client as the only member.
    /// </summary>
    public TmemStatus MakeRestoring(ClientState client, in PoolOptions options, int restore, out Pool? pool)
    {
        pool = null;
        lock (_change)
        {
            var id = options.SharedId;
            if (id.IsNone) return Make(client, options, restore, out pool);
            if (!_sharing.Has(client.Id, id, SharingEntry.Authorised)) return TmemStatus.NotAuthorised;
            return FindShared(id) is null ? MakeShared(client, options, restore, out pool) : TmemStatus.SharedIdInUse;
        }
    }

    /// <summary>Makes the pools of a restore exist, all or none.</summary>
    public void CommitRestore(int restore, IReadOnlyList<Pool> pools)
    {
        lock (_change)
        {
            ClearBit(restore);
            // The number is free only once no pool names it any more; all of this happens under the lock.
            foreach (var pool in pools)
            {
                _entries[pool.Place].Restore = 0;
                pool.Stage = PoolStage.Open;
            }
        }
    }

    /// <summary>Ends a pool whose restore failed. The caller then drains and forgets it.</summary>
    public void EndRestoring(Pool pool)
    {
        lock (_change)
        {
            if (pool.Members.Length > 0) _ = Leave(pool, pool.Owner);
            End(pool);
        }
    }

    /// <summary>Returns the number of a restore whose pools have ended.</summary>
    public void CloseRestore(int restore)
    {
        lock (_change) ClearBit(restore);
    }

    /// <summary>Whether an attached pool was being restored when the process died.</summary>
    private bool WasRestoring(in PoolEntry entry) => entry.Restore != 0
        && (_superblock->OpenRestores & BitOf((int)entry.Restore)) != 0;

    private void ClearBit(int restore) =>
        Volatile.Write(ref _superblock->OpenRestores, _superblock->OpenRestores & ~BitOf(restore));

    private static ulong BitOf(int restore) => 1UL << restore - 1;
}
